#!/bin/sh
# Prove Waitpoints in an AWS account, and delete what that made: sh examples/on_aws.sh --help
set -eu
cd "$(dirname "$0")/.."
make -s .local/local/ready .local/sam/ready
PATH=$PWD/.local/sam/bin:$PWD/.local/local/bin:$PATH
export PATH
exec .local/local/bin/python -m tools.on_aws "$@"
