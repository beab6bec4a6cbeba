# The same by hand, out of resources.

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
  description = "Send messages here."
  value       = tandem_queues.work.queue_urls
}

output "dead_letter_queue_urls" {
  description = "What nobody could handle ends here."
  value       = tandem_queues.work.dead_letter_queue_urls
}

output "log_group" {
  description = "The consumer writes what it was given here."
  value       = tandem_queues.work.consumer_log_group_name
}
