# attribute: event_pattern
# value: source = aws.ecs
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    event_pattern = "source = aws.ecs"
  }
}
