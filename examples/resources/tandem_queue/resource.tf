resource "tandem_queue" "jobs" {
  name = "jobs"

  # Six times the timeout of the function that reads the queue.
  visibility_timeout = 360
  max_receive_count  = 3
}

resource "tandem_event_function" "worker" {
  name = "worker"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/worker/bootstrap"
  }

  on {
    queue = tandem_queue.jobs.arn
  }
}
