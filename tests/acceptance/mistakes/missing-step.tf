# attribute: next
# value: approval
resource "tandem_workflow" "order" {
  name = "order"

  step {
    name = "wait"
    wait = 60
    next = "approval"
  }

  step {
    name     = "approve"
    callback = "arn:aws:sqs:eu-central-1:123456789012:approvals"
  }
}
