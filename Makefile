# The door. Each target sets up what it needs in a cache outside the checkout; see CONTRIBUTING.md.
PYTHON ?= python3
RUN = @$(PYTHON) tests/run

.PHONY: help demo demo-down test test-slow test-unit lint sanity integration molecule bench bench-facts bench-driver clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo:  ## site.yml on two simulated GPU hosts that join a real Kubernetes (KEEP=1 keeps them up)
	$(RUN) demo

demo-down:  ## take down what KEEP=1 left up
	$(RUN) demo-down

test:  ## every check
	$(RUN) test

test-slow:  ## what takes too long for that: drivers from files, hosts with dnf, CUDA from the distribution, what breaks off half-way
	$(RUN) test-slow

test-unit:  ## unit tests, on several ansible-cores
	$(RUN) units

lint:  ## style, types, documentation
	$(RUN) lint

sanity:  ## ansible-test sanity
	$(RUN) sanity

integration:  ## the rig, the collection as installed, modules and site.yml against the real cluster
	$(RUN) integration

molecule:  ## the roles' scenarios (SCENARIO=name for one)
	$(RUN) molecule $(SCENARIO)

bench:  ## module executions, wall time and API requests for 1, 2, 4 and 8 hosts
	$(RUN) bench

bench-facts:  ## what nvidia_facts costs a host with eight GPUs, beside nvidia-smi
	$(RUN) bench-facts

bench-driver:  ## what driver and CUDA cost a converged host, and a first install beside apt-get (minutes: modules are built)
	$(RUN) bench-driver

clean:  ## take everything down and empty the cache
	$(RUN) clean
