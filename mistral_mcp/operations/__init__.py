"""Every operation of Mistral's API: what it takes and answers, found by what one wants to do, checked before it is sent."""
