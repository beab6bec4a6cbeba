# attribute: region
# value: eu-central
provider "tandem" {
  region = "eu-central"
}

resource "tandem_bucket" "uploads" {
  name = "uploads"
}
