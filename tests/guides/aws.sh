#!/bin/sh
# The AWS CLI. Version 1 ignores `AWS_ENDPOINT_URL` for SQS; version 2, which is not on PyPI, does not.
exec "$GUIDE_AWS" --endpoint-url "$AWS_ENDPOINT_URL" "$@"
