//! A CloudFormation document as typed data; pure, and knows nothing of mqaws.
