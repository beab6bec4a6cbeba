# attribute: create
# value: 30 min.
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  timeouts {
    create = "30 min."
  }
}
