resource "tandem_queues" "orders" {
  name = "orders"

  queue {
    name = "placed"
  }

  queue {
    name = "paid"
    fifo = true
  }

  # No dead-letter queue: a lost message of this queue does no harm.
  queue {
    name         = "viewed"
    dead_letters = false
  }

  consumer {
    code {
      bootstrap = "${path.module}/handlers/target/lambda/orders-consumer/bootstrap"
    }
  }
}
