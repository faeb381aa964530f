# The index of the scripts. `just` lists them; each script says more at its head.

_:
    @just --list

# Formatting, lints, documentation, and the rules of the project (1 minute)
check:
    scripts/check.sh

# The figures of the source code, beside those of well-kept codebases (5 seconds)
style *args:
    scripts/style.sh {{args}}

# All tests, with libzmq and pyzmq at the other end (12 minutes)
test:
    scripts/test.sh

# The exchange with libzmq and pyzmq alone
interop:
    scripts/run_interop_tests.sh

# The models of the concurrent parts (4 minutes)
loom *args:
    scripts/loom.sh {{args}}

# All examples
examples:
    scripts/examples.sh

# The instructions of an operation, compared with the committed figures
instructions:
    scripts/instructions.sh

# The tests under AddressSanitizer
asan:
    scripts/asan.sh

# The tests under ThreadSanitizer
tsan:
    scripts/tsan.sh

# Each fuzz target for some seconds
fuzz *args:
    scripts/fuzz.sh {{args}}

# Sockets under disturbances for so many seconds
chaos seconds="60":
    scripts/chaos.sh {{seconds}}

# A mixed load for so many minutes
soak minutes="10":
    scripts/soak.sh {{minutes}}

# The comparison with libzmq and other libraries
bench:
    scripts/bench_all.sh

# All that must pass before a change goes in
ci:
    .ci/run
