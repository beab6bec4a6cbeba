# attribute: code
# value: code
# source: Terraform
resource "tandem_event_function" "notice" {
  name = "notice"
}
