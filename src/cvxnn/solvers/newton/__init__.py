"""Newton's method and local descent for neurons that move over faces and kinks."""
