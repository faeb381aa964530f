# The index of the scripts. `just` lists them; each script says more at its head.

_:
    @just --list

# What finds most mistakes, as for a pull request (8 minutes)
quick:
    .ci/quick

# All that must pass before a change goes in (40 minutes)
ci:
    .ci/run

# Formatting, lints, documentation, and the rules of the project (2 minutes)
check:
    scripts/check.sh

# The figures of the source code, beside those of well-kept codebases (5 seconds)
style *args:
    scripts/style.sh {{args}}

# All tests, with libzmq and pyzmq at the other end (13 minutes)
test:
    scripts/test.sh

# The exchange with libzmq and pyzmq alone
interop *args:
    scripts/run_interop_tests.sh {{args}}

# All examples
examples:
    scripts/examples.sh

# The models of the concurrent parts (4 minutes)
loom *args:
    scripts/loom.sh {{args}}

# Each fuzz target for some seconds
fuzz *args:
    scripts/fuzz.sh {{args}}

# The unsafe code under AddressSanitizer
asan *args:
    scripts/asan.sh {{args}}

# The tests under ThreadSanitizer
tsan *args:
    scripts/tsan.sh {{args}}

# Sockets under disturbances for so many seconds
chaos seconds="60":
    scripts/chaos.sh {{seconds}}

# A mixed load for so many minutes
soak minutes="10":
    scripts/soak.sh {{minutes}}

# The instructions of an operation, compared with the committed figures; --write commits those of today
instructions *args:
    scripts/instructions.sh {{args}}

# The comparison with libzmq (30 minutes)
bench:
    scripts/bench_all.sh

# Tables and plots of what `bench` has measured
plots:
    scripts/analyze_benchmarks.py

# The public API, compared with api/; --write makes today's the one to compare with
api *args:
    scripts/api.sh {{args}}

# Licences, sources and duplicates of dependencies; `just deny advisories` for known vulnerabilities
deny *args:
    scripts/deny.sh {{args}}

# The size of the program `mq` as it is installed (3 minutes)
size:
    scripts/size.sh

# The crates that a program compiles, compared with docs/reference/dependencies.md; --print prints the trees
dependencies *args:
    scripts/dependencies.sh {{args}}

# Each set of features
features:
    scripts/features.sh

# The oldest compilers that are promised
msrv:
    scripts/msrv.sh

# The oldest dependencies that the manifests allow
minimal-versions:
    scripts/minimal_versions.sh

# The packages that are published, each built from its archive
package:
    scripts/package.sh
