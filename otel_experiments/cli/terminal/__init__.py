"""What is printed: tables, charts, numbers and times as text, and where it goes."""
