#!/usr/bin/env python3
"""Runs steps one after another, shows each one's output, and ends with a table and `N passed, N failed`.

    steps.py ci                 what `just ci` does
    steps.py cargo-test ci      the README's `cargo test` before it, as .ci/run does
    steps.py STEP...            single steps, by name

A step that fails does not keep the others from running. Beside the steps, the tests inside are counted where
the runner's closing lines tell how many there were.
"""
import os, re, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = {
    "cargo-test": ["cargo", "test"],
    "fmt-check": ["just", "fmt-check"],
    "lint": ["just", "lint"],
    "doc": ["just", "doc"],
    "generate-check": ["just", "generate-check"],
    "deny": ["just", "deny"],
    "test-postgres": ["just", "test-postgres"],
    "exchange": ["just", "exchange"],
    "sdk": ["just", "sdk"],
    "crash": ["just", "crash", "--rounds", "20", "--postgres-rounds", "3", "--prove"],
