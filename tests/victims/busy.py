"""busy: one thread that never blocks; it raises a mark, then does some arithmetic."""
import victim

total = 0
n = 0
for n in victim.rounds(2000):
    victim.mark(n, "busy")
    for k in range(400):
        total += (n * k) % 7
victim.end(marks=n + 1, total_is_right=total == sum((i * k) % 7 for i in range(n + 1) for k in range(400)))
