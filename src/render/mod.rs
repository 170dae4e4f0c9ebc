//! From a deployment to a template, user data and the agent's configuration; pure.
