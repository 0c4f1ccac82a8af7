"""What makes a typed function a tool."""
