"""What `import automl` offers: campaigns and studies from Python, and an outside loop by ask and tell."""
