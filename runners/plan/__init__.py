"""What is to be done: specs, studies, searches, contenders; may import no other room."""
