# attribute: account_id
# value: 999999999999
# command: plan
provider "tandem" {
  account_id = "999999999999"
}

resource "tandem_bucket" "uploads" {
  name = "uploads"
}
