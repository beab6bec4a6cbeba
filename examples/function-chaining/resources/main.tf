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
  project = "function-chaining"
}

resource "tandem_event_function" "f" {
  for_each = toset(["f1", "f2", "f3", "f4"])
  name     = each.key

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/${each.key}/bootstrap"
  }
}

resource "tandem_workflow" "chain" {
  name          = "chain"
  force_destroy = true

  step {
    name     = "f1"
    function = tandem_event_function.f["f1"].function_arn
  }

  step {
    name     = "f2"
    function = tandem_event_function.f["f2"].function_arn
  }

  step {
    name           = "f3"
    function       = tandem_event_function.f["f3"].function_arn
    retry_interval = 1
    catch          = "give-up"
  }

  step {
    name     = "f4"
    function = tandem_event_function.f["f4"].function_arn
    end      = true
  }

  step {
    name = "give-up"
    fail = "{% $string($states.input) %}"
  }
}

output "workflow" {
  description = "ARN of the workflow. Its input has a `text`, and optionally `ready`, a Unix time until which f3 fails."
  value       = tandem_workflow.chain.arn
}

output "dead_letters" {
  description = "URL of the dead-letter queue with the failed executions."
  value       = tandem_workflow.chain.dead_letter_queue_url
}
