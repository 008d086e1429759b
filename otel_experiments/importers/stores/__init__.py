"""Other stores, and bundles, which are stores."""
