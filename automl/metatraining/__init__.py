"""How a meta-learner is trained and scored on episodes."""
