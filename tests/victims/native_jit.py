"""native_jit.py: events directly from a loop that the JIT compiles (3.14 and 3.15 with PYTHON_JIT=1); prints whether it
is on."""
import sys

audit = sys.audit


def hot(n):
    total = 0
    for i in range(n):
        total += i * 2 - 1
        audit("native.test", i)
    return total


def main():
    hot(12000)


main()
print("jit", hasattr(sys, "_jit") and sys._jit.is_enabled())
