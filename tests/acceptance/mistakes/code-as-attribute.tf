# attribute: code
# value: bootstrap
# source: Terraform
resource "tandem_event_function" "notice" {
  name = "notice"
  code = { bootstrap = "bootstrap" }
}
