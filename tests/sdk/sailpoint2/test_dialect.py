"""Every operation and refusal, with both clients of 2.x."""
from dialect import *
