#!/bin/sh
# The AWS CLI. Version 1 ignores `AWS_ENDPOINT_URL` for SQS; version 2 does not, but is no Python package.
exec "$GUIDE_AWS" --endpoint-url "$AWS_ENDPOINT_URL" "$@"
