resource "tandem_stream" "posts" {
  name = "posts"
}

resource "tandem_event_function" "analysis" {
  name = "analysis"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/analysis/bootstrap"
  }

  # A record that fails four times goes to the dead-letter queue and does not block other records.
  on {
    stream         = tandem_stream.posts.arn
    retry_attempts = 3
  }
}
