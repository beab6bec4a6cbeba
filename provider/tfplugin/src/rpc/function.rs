//! Functions.

use super::{Inner, decode, encode};
use crate::proto;

pub(super) fn failed(text: String, argument: Option<i64>) -> proto::call_function::Response {
    proto::call_function::Response {
        result: None,
        error: Some(proto::FunctionError { text, function_argument: argument }),
    }
}

impl Inner {
    pub(super) async fn call_function(
        &self,
        request: proto::call_function::Request,
    ) -> proto::call_function::Response {
        let Some((function, signature)) = self.functions.get(&request.name) else {
            return failed(format!("this provider has no function `{}`", request.name), None);
        };
        let fixed = signature.parameters.len();
        let count = request.arguments.len();
        if count < fixed || (count > fixed && signature.variadic.is_none()) {
            return failed(format!("`{}` takes {fixed} arguments, not {count}", request.name), None);
        }
        let mut arguments = Vec::with_capacity(count);
        for (index, argument) in request.arguments.iter().enumerate() {
            let parameter = signature.parameters.get(index).or(signature.variadic.as_ref());
            let Some(parameter) = parameter else { continue };
            match decode(Some(argument), &parameter.ty) {
                Ok(value) => arguments.push(value),
                Err(diagnostic) => return failed(diagnostic.detail, i64::try_from(index).ok()),
            }
        }
        match function.call(arguments).await {
            Ok(value) => match encode(&value, &signature.returns) {
                Ok(result) => proto::call_function::Response { result: Some(result), error: None },
                Err(diagnostic) => failed(diagnostic.detail, None),
            },
            Err(error) => failed(error.text, error.argument),
        }
    }
}
