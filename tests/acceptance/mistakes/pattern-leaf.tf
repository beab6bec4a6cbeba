# attribute: event_pattern
# value: slug
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    event_pattern = jsonencode({ detail = { pipeline = { slug = "web" } } })
  }
}
