resource "tandem_event_bus" "orders" {
  name = "orders"

  # A new name: functions change to the new event bus before the old one is deleted.
  lifecycle {
    create_before_destroy = true
  }
}

# This function receives only the orders over 100 that the shop sends to the event bus.
resource "tandem_event_function" "large" {
  name = "large"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/large/bootstrap"
  }

  on {
    event_bus     = tandem_event_bus.orders.arn
    event_pattern = jsonencode({ source = ["shop"], detail = { amount = [{ numeric = [">", 100] }] } })
  }
}
