# attribute: bootstrap
# value: handler.py
# file: handler.py
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "handler.py"
  }
}
