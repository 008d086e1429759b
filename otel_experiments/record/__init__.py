"""What user code calls: settings, runs, scopes, decorators. Knows no store."""
