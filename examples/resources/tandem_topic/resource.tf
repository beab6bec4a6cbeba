resource "tandem_topic" "orders" {
  name = "orders"
}

# This queue receives only orders with an amount over 100.
resource "tandem_queue" "large" {
  name = "large"

  on {
    topic         = tandem_topic.orders.arn
    filter_policy = jsonencode({ amount = [{ numeric = [">", 100] }] })
  }
}
