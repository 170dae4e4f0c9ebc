//! One run of `runmqsc`: the echo, the answers and the summary.

use super::{answer::Answer, execute::execute, parse::Statement};
use crate::standin::broker::Broker;
use mqaws_contract::mqsc::{Line, lines};

/// Runs a whole input against a queue manager; what to print and the exit code.
pub(crate) fn run(broker: &Broker, input: &str) -> (String, u8) {
    let mut out = format!(
        "mqaws stand-in for IBM MQ, a test double; no part of it is IBM's.\nStarting MQSC for queue manager {}.\n\n\n",
        broker.name
    );
    let (mut read, mut syntax, mut failed) = (0_u32, 0_u32, 0_u32);
    let mut number = 0;
    for line in lines(input) {
        match line {
            Line::Silent(text) => out.push_str(&format!("       : {text}\n")),
            Line::Part { text, first: true } => {
                number += 1;
                out.push_str(&format!("{number:6} : {text}\n"));
            }
            Line::Part { text, first: false } => out.push_str(&format!("       : {text}\n")),
            Line::Statement(text) => {
                let answer = match Statement::parse(&text) {
                    Ok(s) if s.object.is_empty() && ["END", "QUIT", "STOP"].contains(&s.verb.as_str()) => break,
                    Ok(statement) => execute(broker, &statement, &text),
                    Err(error) => Answer::Syntax(error.0),
                };
                read += 1;
                match answer {
                    Answer::Done(lines) => lines.iter().for_each(|l| out.push_str(&format!("{l}\n"))),
                    Answer::Failed(lines) => {
                        failed += 1;
                        lines.iter().for_each(|l| out.push_str(&format!("{l}\n")));
                    }
                    Answer::Syntax(text) => {
                        syntax += 1;
                        out.push_str(&format!(
                            "AMQ8405I: Syntax error detected at or near end of command segment below:-\n{text}\n\n"
                        ));
                    }
                }
            }
        }
    }
    // A definition is kept before anybody is told that it is made.
    if let Err(error) = broker.objects().save() {
        failed += 1;
        out.push_str(&format!("AMQ6125E: An internal IBM MQ error has occurred: {error}\n"));
    }
    out.push_str(&match read {
        1 => "One MQSC command read.\n".to_owned(),
        0 => "No MQSC commands read.\n".to_owned(),
        n => format!("{n} MQSC commands read.\n"),
    });
    out.push_str(&match syntax {
        0 => "No commands have a syntax error.\n".to_owned(),
        1 => "One command has a syntax error.\n".to_owned(),
        n => format!("{n} commands have a syntax error.\n"),
    });
    out.push_str(&match failed {
        0 => "All valid MQSC commands were processed.\n".to_owned(),
        1 => "One valid MQSC command could not be processed.\n".to_owned(),
        n => format!("{n} valid MQSC commands could not be processed.\n"),
    });
    (out, if syntax + failed == 0 { 0 } else { 10 })
}
