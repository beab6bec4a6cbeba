//! What proves that nothing is lost and nothing doubled: AWS in memory ([`double`]), a carrier that breaks
//! calls on the way to it ([`carrier`]), Terraform's rules in process ([`terraform`]), and every
//! composite, operation, call and fault with each other ([`matrix`]).

pub mod carrier;
pub mod double;
pub mod fault;
pub mod fixture;
pub mod matrix;
pub mod report;
pub mod scene;
pub mod terraform;
