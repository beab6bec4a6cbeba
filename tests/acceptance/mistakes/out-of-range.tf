# attribute: timeout
# value: 1000
resource "tandem_event_function" "notice" {
  name    = "notice"
  timeout = 1000

  code {
    bootstrap = "bootstrap"
  }
}
