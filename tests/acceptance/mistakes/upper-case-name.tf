# attribute: name
# value: OrderIntake
resource "tandem_event_function" "notice" {
  name = "OrderIntake"

  code {
    bootstrap = "bootstrap"
  }
}
