resource "tandem_stream" "posts" {
  name = "posts"
}

resource "tandem_event_function" "analysis" {
  name = "analysis"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/analysis/bootstrap"
  }

  # A record that cannot be handled goes to the dead letters after four tries, and holds up no other.
  on {
    stream         = tandem_stream.posts.arn
    retry_attempts = 3
  }
}
