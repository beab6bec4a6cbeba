# attribute: topic
# value: arn:aws:sns:eu-central-1:123456789012:orders
resource "tandem_queue" "jobs" {
  name = "jobs"
  fifo = true

  on {
    topic = "arn:aws:sns:eu-central-1:123456789012:orders"
  }
}
