# attribute: memroy_size
# value: memroy_size
# source: Terraform
resource "tandem_event_function" "notice" {
  name        = "notice"
  memroy_size = 512

  code {
    bootstrap = "bootstrap"
  }
}
