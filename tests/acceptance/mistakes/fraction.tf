# attribute: memory_size
# value: 512.5
resource "tandem_event_function" "notice" {
  name        = "notice"
  memory_size = 512.5

  code {
    bootstrap = "bootstrap"
  }
}
