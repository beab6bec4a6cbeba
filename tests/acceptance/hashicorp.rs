//! The provider next to the real hashicorp/aws.

use tandem_testkit::calls::Account;
use tandem_testkit::hashicorp::{mirror_or_registry, provider_block};
use tandem_testkit::terraform::Terraform;

use crate::stage::REGION;

/// A bucket of hashicorp/aws that triggers a function.
const CONFIGURATION: &str = r#"
terraform {
  required_providers {
    aws    = { source = "hashicorp/aws" }
    tandem = { source = "tandem/tandem" }
  }
}

provider "tandem" {
  project = "test"
}

resource "aws_s3_bucket" "uploads" {
  bucket = "uploads"
}

resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    bucket = aws_s3_bucket.uploads.bucket
  }
}
"#;

#[test]
fn both_providers_work_in_one_configuration() {
    let Some(hashicorp) = mirror_or_registry() else { return };
    let terraform = Terraform::new(&[]).expect("a folder");
    terraform.add_hashicorp(&hashicorp).expect("a CLI configuration");
    // Neither command makes a call to the endpoint.
    let endpoint = "http://127.0.0.1:1".to_owned();
    let account = Account {
        alarms: endpoint.clone(),
        endpoint,
        id: "123456789012".to_owned(),
        region: REGION.to_owned(),
    };
    terraform.write("main.tf", format!("{}{CONFIGURATION}", provider_block(&account)));
    terraform.run(&["fmt", "-check", "-diff", "-no-color"]).expect_success();
    let installed = terraform.run(&["init", "-no-color", "-input=false"]).expect_success();
    installed.expect_text(&["Installed hashicorp/aws v", "Installed tandem/tandem v"]);
    terraform.run(&["validate", "-no-color"]).expect_success();
}
