# The same application, written with resources.

terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "queues"
}

resource "tandem_queues" "work" {
  name          = "work"
  force_destroy = true

  queue {
    name               = "orders"
    visibility_timeout = 3
    max_receive_count  = 2
  }

  queue {
    name = "payments"
  }

  queue {
    name = "invoices"
  }

  queue {
    name = "parcels"
  }

  queue {
    name = "mails"
  }

  queue {
    name         = "clicks"
    dead_letters = false
  }

  consumer {
    timeout = 3

    code {
      bootstrap = "${path.module}/../handlers/target/lambda/work-consumer/bootstrap"
    }
  }
}

output "queue_urls" {
  description = "URLs of the queues, by name."
  value       = tandem_queues.work.queue_urls
}

output "dead_letter_queue_urls" {
  description = "URLs of the dead-letter queues, by name of the queue."
  value       = tandem_queues.work.dead_letter_queue_urls
}

output "log_group" {
  description = "Log group with a line for each message that the consumer received."
  value       = tandem_queues.work.consumer_log_group_name
}
