"""What subscribers are told, how it is signed, and where it may be sent: rules without I/O."""
