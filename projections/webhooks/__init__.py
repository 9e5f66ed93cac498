"""What is to be delivered to subscribers' endpoints, and what became of it; never rebuilt."""
