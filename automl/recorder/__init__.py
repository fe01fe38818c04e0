"""Projects the ledger into MLflow. The only room that imports mlflow."""
