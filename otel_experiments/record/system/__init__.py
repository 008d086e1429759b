"""What is read of the machine: process, host, GPUs, environment and git checkout."""
