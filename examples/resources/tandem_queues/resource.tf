resource "tandem_queues" "orders" {
  name = "orders"

  queue {
    name = "placed"
  }

  queue {
    name = "paid"
    fifo = true
  }

  # Whoever misses a message of this one misses nothing.
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
