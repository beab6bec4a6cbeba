resource "tandem_topic" "orders" {
  name = "orders"
}

# Only what is worth more than 100 comes into this queue.
resource "tandem_queue" "large" {
  name = "large"

  on {
    topic         = tandem_topic.orders.arn
    filter_policy = jsonencode({ amount = [{ numeric = [">", 100] }] })
  }
}
