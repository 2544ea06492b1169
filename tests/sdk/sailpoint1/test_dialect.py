"""Every operation and refusal, in each family of 1.x."""
from dialect import *
