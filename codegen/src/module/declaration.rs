//! Variables of modules as Terraform declares them.

use tandem_model::input::{Bounds, Rule, Shape};
use tandem_model::value::Value;

use crate::hcl::{Body, Hcl};
use crate::variables::Variable;

/// A variable, as Terraform declares it.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    /// Name.
    pub(crate) name: String,
    /// Description, in Markdown.
    pub(crate) doc: String,
    /// Type, e.g. `list(string)`.
    pub(crate) ty: Hcl,
    /// Default. A variable without one is required.
    pub(crate) default: Option<Hcl>,
    /// Condition and error message of its validation.
    validation: Option<(String, String)>,
    /// True if Terraform hides its value.
    sensitive: bool,
}

impl From<&Variable> for Declaration {
    fn from(variable: &Variable) -> Self {
        let nullable = variable.default == Some(Value::Null);
        Self {
            name: variable.name.clone(),
            doc: variable.doc.clone(),
            ty: Hcl::code(type_name(&variable.shape)),
            default: variable.default.as_ref().map(Hcl::from),
            validation: validation(&variable.name, variable.rule, nullable),
            sensitive: variable.sensitive,
        }
    }
}

impl Declaration {
    /// A variable without a validation.
    pub(crate) fn new(name: &str, doc: String, ty: Hcl, default: Option<Hcl>) -> Self {
        Self { name: name.to_owned(), doc, ty, default, validation: None, sensitive: false }
    }

    /// Adds the block that declares it.
    pub(crate) fn declare(&self, file: &mut Body) {
        let mut body = Body::default();
        body.set("description", Hcl::text(&self.doc));
        body.set("type", self.ty.clone());
        if let Some(default) = &self.default {
            body.set("default", default.clone());
        }
        if self.sensitive {
            body.set("sensitive", Hcl::Bool(true));
        }
        if self.default.as_ref().is_some_and(|default| *default != Hcl::Null) {
            body.set("nullable", Hcl::Bool(false));
        }
        if let Some((condition, message)) = &self.validation {
            let mut validation = Body::default();
            validation.set("condition", Hcl::code(condition));
            validation.set("error_message", Hcl::text(message));
            body.block("validation", &[], validation);
        }
        file.block("variable", &[&self.name], body);
    }
}

/// The Terraform type of a variable.
fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::String => "string".to_owned(),
        Shape::Integer => "number".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::List(element) => format!("list({})", type_name(element)),
        Shape::Map(element) => format!("map({})", type_name(element)),
        Shape::Block(_) | Shape::Blocks(_) => "any".to_owned(),
    }
}

/// The validation of a variable, as condition and message. Rules without a Terraform condition are checked
/// only by the provider.
fn validation(name: &str, rule: Option<Rule>, nullable: bool) -> Option<(String, String)> {
    let rule = rule?;
    let (condition, message) = match (rule, rule.bounds()) {
        (_, Some(Bounds::Numbers(low, high))) => (
            format!("var.{name} >= {low} && var.{name} <= {high}"),
            format!("{name} must be a number from {low} to {high}."),
        ),
        (_, Some(Bounds::AtLeast(low))) => {
            (format!("var.{name} >= {low}"), format!("{name} must be a number of at least {low}."))
        }
        (_, Some(Bounds::Characters(0, high))) => {
            (format!("length(var.{name}) <= {high}"), format!("{name} must have at most {high} characters."))
        }
        (_, Some(Bounds::Characters(low, high))) => (
            format!("length(var.{name}) >= {low} && length(var.{name}) <= {high}"),
            format!("{name} must have {low} to {high} characters."),
        ),
        (Rule::OneOfNumbers(allowed), None) => {
            let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            (
                format!("contains([{}], var.{name})", list.join(", ")),
                format!("{name} must be one of {}.", list.join(", ")),
            )
        }
        (Rule::OneOf(allowed), None) => {
            let list = Hcl::List(allowed.iter().map(|text| Hcl::text(*text)).collect()).render(0);
            (
                format!("contains({list}, var.{name})"),
                format!("{name} must be one of {}.", allowed.join(", ")),
            )
        }
        _ => return None,
    };
    let condition = if nullable { format!("var.{name} == null ? true : {condition}") } else { condition };
    Some((condition, message))
}
